"""The kinds of port beyond channels: what a site file may say of each, and where its code lives."""
