"""Who is written down as having acted where no person and no caller did."""

ASSENT = "assent"
