# Who asks to be forgotten is, and isn't contacted again
At: the simulator, node, twisted

Setting: RANGES = south=86137*:1000
Paul is 8613700000001
Anna is 8613800000001
Ben is 8613911110002

Anna is a subscriber
Ben calls Paul at 09:00, busy
Paul's phone shows:
  "1 missed call, {today} 09:00. Reply C to see who called, KT to subscribe, R to get no more of these. This message is free."
Paul texts: R
Paul's phone shows:
  "You will get no more of these messages."
Ben calls Anna at 09:05, busy
Anna's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:05"

Anna's data is erased
Paul's data is erased

# Anna is no subscriber any more; of Paul only the refusal is left.
Ben calls Anna at 10:00, busy
Ben calls Paul at 10:00, busy
Anna's phone shows nothing new
Paul's phone shows nothing new
