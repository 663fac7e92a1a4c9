"""The broker and everything that speaks to it. The only home of zmq and msgpack."""
