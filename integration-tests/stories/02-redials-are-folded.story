# Somebody who redials makes one more SMS, not three
At: the simulator, node, twisted

Setting: ALERT__MIN_INTERVAL = 15s
Anna is 8613800000001
Ben is 8613911110002

Anna is a subscriber
Ben calls Anna at 09:00, busy
Anna's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:00"

# All three come within the interval.
Ben calls Anna at 09:01, busy
Ben calls Anna at 09:02, busy
Ben calls Anna at 09:03, busy
Anna's phone shows:
  "3 missed calls:
   +8613911110002 (3) {today} 09:03"
