"""The windows in which things are set: preferences of the app, and the settings of one chat. Knows no other panel."""
