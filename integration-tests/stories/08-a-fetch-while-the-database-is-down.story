# Who asks for the list while the database is down gets it when it is back
At: the simulator, node, twisted

Setting: RANGES = south=86137*:1000
Paul is 8613700000001
Ben is 8613911110002

Ben calls Paul at 09:00, busy
Paul's phone shows:
  "1 missed call, {today} 09:00. Reply C to see who called, KT to subscribe, R to get no more of these. This message is free."

The database dies
Paul texts: C
Paul's phone shows:
  "Thank you, your request has arrived. The answer will follow in a separate message."

The database returns
Paul's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:00"
