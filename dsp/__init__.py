"""Signal processing: arrays in, arrays and events out. No clock, no thread, no socket, no file."""
