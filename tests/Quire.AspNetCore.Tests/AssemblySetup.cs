using Xunit;

// The ledger is one a process: what one test has recorded, another would see.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
