"""What a record is: its line, its encoder, its trace context, its resource."""
