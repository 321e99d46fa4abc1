$ geventcore init site --address 127.0.0.1:6789
