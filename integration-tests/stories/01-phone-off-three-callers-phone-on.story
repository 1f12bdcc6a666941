# A phone that is off gets one SMS for three callers
At: the simulator, node

Anna is 8613800000001
Ben is 8613911110002
Carl is 8613911110003
Dora is 8613911110004

Anna is a subscriber
Anna's phone is off
Ben calls Anna at 09:00, unreachable
Carl calls Anna at 09:10, unreachable
Dora calls Anna at 09:20, unreachable
Ben calls Anna at 09:30, unreachable

# Not four messages, and not the oldest one either.
Anna's phone is on
Anna's phone shows:
  "4 missed calls:
   +8613911110002 (2) {today} 09:30
   +8613911110004 {today} 09:20
   +8613911110003 {today} 09:10"

# What was told is not told again.
Carl calls Anna at 09:40, busy
Anna's phone shows:
  "1 missed call:
   +8613911110003 {today} 09:40"
