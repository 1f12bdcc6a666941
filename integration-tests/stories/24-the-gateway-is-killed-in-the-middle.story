# The gateway is killed while a phone is off: nothing is lost, nothing told twice
At: the simulator, node, twisted

Setting: RANGES = south=86137*:1000
Anna is 8613800000001
Paul is 8613700000001
Ben is 8613911110002
Carl is 8613911110003

Anna is a subscriber
Anna's phone is off
Ben calls Anna at 09:00, unreachable
Ben calls Paul at 09:01, busy
Paul's phone shows:
  "1 missed call, {today} 09:01. Reply C to see who called, KT to subscribe, R to get no more of these. This message is free."

# What comes meanwhile waits at the SMSC: Anna's alert, and what Paul texts.
The gateway is killed
Anna's phone is on
Anna's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:00"
Paul texts: C

The gateway starts again
Paul's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:01"
Carl calls Anna at 09:10, busy
Anna's phone shows:
  "1 missed call:
   +8613911110003 {today} 09:10"
