variable "bus_arn" {
  description = "The output bus_arn of the module events, in the account where Assent listens"
  type        = string
}
