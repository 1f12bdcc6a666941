# Thirty callers in Chinese: three parts, and how many more
At: the simulator, node, twisted

Setting: TEXT__LANGUAGE = zh-CN
Setting: ALERT__UPDATE = new
Anna is 8613800000001
Ben is 8613911110099

Anna is a subscriber
Anna's phone is off
Ben calls Anna at 08:00, unreachable
30 people from 8613911110001 call Anna from 09:00

Anna's phone is on
Anna's phone shows:
  "您有1个未接来电：
   +8613911110099 {今天} 08:00"
Anna's phone shows, in 3 parts:
  "您有30个未接来电：
   +8613911110030 {今天} 09:29
   +8613911110029 {今天} 09:28
   +8613911110028 {今天} 09:27
   +8613911110027 {今天} 09:26
   +8613911110026 {今天} 09:25
   +8613911110025 {今天} 09:24
   另有24个"
