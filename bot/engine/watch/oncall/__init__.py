"""Who is on call: schedules, overrides, hand-overs, and test pages."""
