"""The state machine of rollouts, to be read in one sitting. `machine` has the table of transitions; begin there."""
