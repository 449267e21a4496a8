output "role_arn" {
  description = "role_arn of the source"
  value       = aws_iam_role.this.arn
}
