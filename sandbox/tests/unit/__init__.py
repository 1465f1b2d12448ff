"""The sandbox alone: rules, limits and calls without a bot."""
