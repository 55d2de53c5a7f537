// What every page has. Each part of a page has a module of its own, which this one starts.
import "./keys.js";
import "./poll.js";
import "./ops.js";
import "./times.js";
import "./help.js";
import "./inbox.js";
import "./live.js";
import "./answer.js";
import "./rules.js";
import "./story.js";
