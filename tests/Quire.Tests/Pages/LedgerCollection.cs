using Xunit;

namespace Quire.Tests;

/// <summary>Tests that switch the process's ledger on, measure what a thread allocates, need frame numbers that nobody else takes meanwhile, or signals that nobody else gives: one after another, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LedgerCollection
{
    public const string Name = "ledger";
}
