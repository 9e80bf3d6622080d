"""RTP and RTCP, as far as a radio bridge needs them: the bytes, and the rules of what may be played."""
