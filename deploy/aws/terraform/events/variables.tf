variable "organization_id" {
  description = "Accounts of this AWS Organization may send their events here (module events-member); null for this account alone"
  type        = string
  default     = null
}
