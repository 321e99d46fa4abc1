$ PYTHONPATH=. pytest test_inventory.py
