$ geventcore bench --clients 1000 --entries 100
