-- When somebody had a failed message tried again: how long it waits is counted from then.
ALTER TABLE notifications.message ADD COLUMN retried_at timestamptz;
