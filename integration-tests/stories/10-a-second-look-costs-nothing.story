# Who fetches the list twice gets it twice, and pays once
At: the simulator, node, twisted

Setting: RANGES = south=86137*:1000
Setting: TEASER__FETCH_PRICE = 0.50
Paul is 8613700000001
Ben is 8613911110002

Ben calls Paul at 09:00, busy
Paul's phone shows:
  "1 missed call, {today} 09:00. Reply C to see who called (0.50), KT to subscribe, R to get no more of these. This message is free."

Paul texts: C
Paul's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:00"
Customer care sees for Paul: granted

Paul texts: C
Paul's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:00"
Customer care sees for Paul: already_fetched
