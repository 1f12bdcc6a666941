# The database dies: subscribers are told all the same, nobody else is bothered
At: the simulator, node, twisted

Setting: RANGES = south=86137*:1000
Anna is 8613800000001
Paul is 8613700000001
Ben is 8613911110002

Anna is a subscriber
Ben calls Anna at 09:00, no answer
Anna's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:00"

The database dies
Ben calls Anna at 09:10, no answer
Ben calls Paul at 09:11, no answer
Anna's phone shows:
  "Missed call:
   +8613911110002 {today} 09:10"
Paul's phone shows nothing new

# Nothing is told late, and nothing twice.
The database returns
Paul's phone shows nothing new
Ben calls Anna at 09:20, no answer
Anna's phone shows:
  "1 missed call:
   +8613911110002 {today} 09:20"
