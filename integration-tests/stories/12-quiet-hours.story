# Nobody is sent an offer in quiet hours; the calls are counted
At: the simulator, node, twisted

Setting: RANGES = south=86137*:1000?quiet=11:00-15:00
Paul is 8613700000001
Anna is 8613800000001
Ben is 8613911110002

# Subscribers are told at any time.
Anna is a subscriber
Ben calls Paul at 09:00, busy
Ben calls Anna at 09:01, busy
Anna's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:01"
Paul's phone shows nothing new
Customer care sees for Paul: quiet_hours

# Quiet only at night now; in stories it is noon.
The gateway is killed
Setting: RANGES = south=86137*:1000?quiet=21:00-08:00
The gateway starts again
Ben calls Paul at 10:00, busy
Paul's phone shows:
  "2 missed calls, last {today} 10:00. Reply C to see who called, KT to subscribe, R to get no more of these. This message is free."
