"""Every function that reads what somebody else wrote, each with the property that must hold."""
