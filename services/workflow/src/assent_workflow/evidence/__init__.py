"""What a judgement rests on, by reference and digest."""
