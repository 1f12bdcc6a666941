# Calls that are reported hours late: subscribers are told, nobody is sent an offer
At: the simulator, node, twisted

Setting: RANGES = south=86137*:1000
Setting: TEASER__PATIENCE = 15m
Anna is 8613800000001
Paul is 8613700000001
Ben is 8613911110002

Anna is a subscriber
Ben calls Anna at 08:00, busy
Ben calls Paul at 08:00, busy
Anna's phone shows:
  "1 missed call:
   +8613911110002 {today} 08:00"
Paul's phone shows nothing new
