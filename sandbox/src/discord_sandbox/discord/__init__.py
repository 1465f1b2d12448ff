"""Discord itself: state, rules, REST API and gateway, as strict as the real one."""
