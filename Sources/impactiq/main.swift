print("impactiq")
