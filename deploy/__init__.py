"""What it takes to run Tallybook on real servers: nothing in here is part of the product's wheel."""
