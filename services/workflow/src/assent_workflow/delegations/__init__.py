"""People who stand in for others for a while."""
