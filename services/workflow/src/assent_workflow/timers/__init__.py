"""What happens because it is time: reminders, due times, escalations, expiry, looking again."""
