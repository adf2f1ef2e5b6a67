using Quire.Benchmarks.Bdn;
using Quire.Benchmarks.Compare;
using Quire.Benchmarks.Contiguous;
using Quire.Benchmarks.Kestrel;
using Quire.Benchmarks.Ledger;
using Quire.Benchmarks.Pools;
using Quire.Benchmarks.Traces;

const string Usage = "usage: " + CompareOptions.Usage + " | contiguous | ledger | " + TracesCommand.Usage + " | " + PoolsCommand.Usage + " | " + KestrelCommand.Usage + " | bdn [FILTER]";

switch (args)
{
    case ["compare", .. string[] rest]:
        if (!CompareOptions.TryParse(rest, out CompareOptions? options, out string? complaint))
        {
            Console.Error.WriteLine(complaint);
            return 2;
        }

        CompareCommand.Run(options);
        return 0;

    case ["contiguous"]:
        for (int sample = 0; sample < 5; sample++)
        {
            Console.WriteLine(ContiguousCost.Measure(rounds: 15));
        }

        return 0;

    case ["ledger"]:
        Console.WriteLine(LedgerCost.Measure());
        return 0;

    case ["traces", .. string[] rest]:
        return TracesCommand.Run(rest);

    case ["kestrel", .. string[] rest]:
        return KestrelCommand.Run(rest);

    // The processes that kestrel starts.
    case ["kestrel-server", string pool]:
        return await KestrelServer.RunAsync(pool);

    case ["kestrel-load", string url, string connections, string seconds]:
        return await RequestLoad.RunAsync(url, int.Parse(connections), int.Parse(seconds));

    case ["kestrel-burst", string url, string connections]:
        return await UploadBurst.RunAsync(url, int.Parse(connections));

    case ["pools", .. string[] rest]:
        return PoolsCommand.Run(rest);

    case [PoolBurst.Verb, .. string[] rest]:
        return PoolBurst.Run(rest);

    case ["bdn", .. string[] rest]:
        BdnCommand.Run(rest);
        return 0;

    case ["-h" or "--help"]:
        Console.WriteLine(Usage);
        return 0;

    default:
        Console.Error.WriteLine(Usage);
        return 2;
}
