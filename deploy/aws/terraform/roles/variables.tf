variable "trusted_principal_arn" {
  description = "The role or user under which the sagemaker-connector runs"
  type        = string
}

variable "external_id" {
  description = "external_id of the source in ASSENT_SOURCES; keeps another customer of the same principal out"
  type        = string
  validation {
    condition     = length(var.external_id) >= 16
    error_message = "At least 16 characters."
  }
}

variable "role_name" {
  description = "guardrail.json names it"
  type        = string
  default     = "assent"
}

variable "report_object_arns" {
  description = "Where evaluation reports lie, e.g. arn:aws:s3:::company-models/*/evaluation/*"
  type        = list(string)
  default     = []
}

variable "report_bucket_arns" {
  description = "The buckets of those objects, so that S3 says \"not there\" rather than \"forbidden\""
  type        = list(string)
  default     = []
}

variable "kms_key_arns" {
  description = "Keys that encrypt reports or model cards"
  type        = list(string)
  default     = []
}

variable "queue_arn" {
  description = "The queue of the module `events`, if this role reads it"
  type        = string
  default     = null
}

variable "allow_write_back" {
  description = "Whether Assent may write decisions into the registry (write_back of the source)"
  type        = bool
  default     = false
}

variable "allow_fence_check" {
  description = "Whether Assent may ask IAM's simulation who else may approve (assent sources test)"
  type        = bool
  default     = false
}
