"""What decides: policy files and policies as they stand, a text checked apart, rules in words."""
