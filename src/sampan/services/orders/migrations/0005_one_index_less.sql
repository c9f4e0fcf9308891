-- Nobody asks for the orders of a cart; each step of an order had to write this index as well.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX orders.sales_order_cart;
