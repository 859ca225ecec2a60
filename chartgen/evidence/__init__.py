"""What was measured of the apps: one sealed file for each measurement, kept beside the specs."""
