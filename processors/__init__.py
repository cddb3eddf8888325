"""What happens between the books: facts come in, postings go out."""
