"""What all reports share: tables, pages, progress, kept results, intervals, and how they are written."""
