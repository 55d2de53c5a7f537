// The pages of grants and of the policy: changes go through the API, and the page says what came of them.
import "./grants.js";
import "./policy-file.js";
import "./policy-fleets.js";
