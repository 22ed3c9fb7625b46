// The kit's own models. An application whose pages have visitors has their tables (`migrations/web`).
import '../../models/web/idempotency-key';
import '../../models/web/rate-limit';
import '../../models/web/web-secret';
import '../../models/web/web-session';
