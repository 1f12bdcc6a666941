# A refusal counts at once, also while the database is down
At: the simulator, node, twisted

Setting: RANGES = south=86137*:1000
Paul is 8613700000001
Ben is 8613911110002

Ben calls Paul at 09:00, busy
Paul's phone shows:
  "1 missed call, {today} 09:00. Reply C to see who called, KT to subscribe, R to get no more of these. This message is free."

The database dies
Paul texts: STOP
Paul's phone shows:
  "You will get no more of these messages."

The database returns
Ben calls Paul at 10:00, busy
Paul's phone shows nothing new
Customer care sees for Paul: refused
