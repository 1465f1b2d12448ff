"""On-call schedules as pure rules: rotations, hand-overs, calendars, and test pages."""
