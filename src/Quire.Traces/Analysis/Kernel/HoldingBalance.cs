namespace Quire.Traces.Analysis;

/// <summary>What each stack took and what of it was given back, over the whole trace: of lives that ended, and in the end of those that go on.</summary>
internal sealed class HoldingBalance
{
    private readonly Dictionary<(int Stack, string Class), Account> _accounts = [];

    internal IReadOnlyDictionary<(int Stack, string Class), Account> Accounts => _accounts;

    internal void Add(in KernelHolding holding)
    {
        if (holding.Acquired is not { } acquired || holding.IsStructural)
        {
            return;
        }

        (int, string) key = (holding.TakeStack, holding.Match.Class.Name);
        if (!_accounts.TryGetValue(key, out Account? account))
        {
            account = new Account();
            _accounts.Add(key, account);
        }

        account.Takings++;
        account.Taken += holding.References;
        account.Flow.Add(acquired, holding.References);
        if (holding.Released is { } released)
        {
            account.Released += holding.References;
            account.Flow.Add(released, -holding.References);
            account.Held += released - acquired;
            account.Ended++;
        }
    }

    /// <summary>One stack's account.</summary>
    internal sealed class Account
    {
        /// <summary>Holdings, a pin of 1,024 references one of them.</summary>
        internal long Takings { get; set; }

        internal long Taken { get; set; }

        internal long Released { get; set; }

        /// <summary>Holdings that ended, and for how long they were held in all, in ns.</summary>
        internal long Ended { get; set; }

        internal long Held { get; set; }

        internal ReferenceFlow Flow { get; } = new();
    }
}
