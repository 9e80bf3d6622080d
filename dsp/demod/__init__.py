"""Demodulators: channel baseband in, deviation in hertz (FM) or audio (AM, SSB) out at the same rate. Banks of rows."""
