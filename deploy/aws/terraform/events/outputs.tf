output "queue_url" {
  description = "events_queue_url of the source"
  value       = aws_sqs_queue.this.url
}

output "queue_arn" {
  description = "queue_arn of the module roles"
  value       = aws_sqs_queue.this.arn
}

output "bus_arn" {
  description = "bus_arn of the module events-member"
  value       = one(aws_cloudwatch_event_bus.this[*].arn)
}
