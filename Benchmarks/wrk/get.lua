-- The same GET again and again: wrk's own request, with the report.
require "report"
