using Xunit;

namespace Quire.Tests.Tracing.Rings;

/// <summary>A process killed at any moment leaves a recording that reads cleanly to the last complete event.</summary>
public sealed class RecordingKillTests
{
    private const int Rounds = 100;
    private const int AtOnce = 2;
    private const int SigKill = 9;

    [Fact]
    public void A_process_killed_at_a_random_moment_a_hundred_times_leaves_whole_events_without_gaps_and_all_their_texts()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Recordings are tried on Linux.");
        using RecordingFolder folder = new();
        int seed = Random.Shared.Next();
        int next = 0;
        int played = 0;
        int began = 0;
        long events = 0;
        long turned = 0;
        long adopted = 0;
        RecordingTests.RunThreads(AtOnce, _ =>
        {
            // Where the machine is busy a child may write little before it is killed: then there are more of them.
            for (int round; (round = Interlocked.Increment(ref next)) <= Rounds || (round <= 5 * Rounds && !IsEnough());)
            {
                // Each eighth is killed while it begins.
                Random random = new(seed + round);
                string path = folder[$"{round}{(round % 8 == 0 ? "early" : "")}.qring"];
                using (ChildProcess child = RecordingChild.Start("endless", path))
                {
                    while (child.Output.Length == 0 && !child.HasExited)
                    {
                        Thread.Sleep(1);
                    }

                    Assert.False(child.HasExited, child.Output + child.Error);
                    SpinFor(TimeSpan.FromMilliseconds(random.NextDouble() * 20));
                    child.Signal(SigKill);
                    Assert.Equal(128 + SigKill, child.WaitForExit(TimeSpan.FromSeconds(60)));
                }

                try
                {
                    if (File.Exists(path) && QringFile.TryRead(path) is { } file)
                    {
                        Interlocked.Increment(ref began);
                        Assert.Equal((1u, 0L), (file.State, file.Stop));
                        foreach (QringFile.Ring ring in file.Rings)
                        {
                            Dictionary<uint, (ulong First, ulong Last)> writers = ProofEvent.Check(file, ring);
                            Interlocked.Add(ref events, ring.Events.Count);
                            Interlocked.Add(ref turned, ring.Head > ring.Capacity ? 1 : 0);
                            Interlocked.Add(ref adopted, writers.Keys.Count(writer => writer >= 100) > 1 ? 1 : 0);
                        }

                        (uint, ulong Sequence, uint Text)[] records = [.. file.Snapshots.SelectMany(snapshot => snapshot.Records).Select(ProofEvent.Check)];
                        Assert.Equal(Enumerable.Range(0, records.Length).Select(i => (ulong)i), records.Select(record => record.Sequence));
                        Assert.All(records, record => Assert.True(file.Texts.ContainsKey(record.Text)));
                        Interlocked.Add(ref events, records.Length);
                    }
                }
                catch (Exception failure)
                {
                    string kept = Path.Combine(Path.GetTempPath(), Path.GetFileName(path));
                    File.Copy(path, kept, overwrite: true);
                    Assert.Fail($"seed {seed}, round {round}, the file is kept as {kept}: {failure}");
                }

                File.Delete(path);
                Interlocked.Increment(ref played);
            }
        });
        string found = $"seed {seed}: {began} recordings of {played}, {events} events, {turned} rings turned, {adopted} changed hands";
        TestContext.Current.TestOutputHelper?.WriteLine(found);
        Assert.True(played >= Rounds && began >= played * 7 / 8 && IsEnough(), found);

        bool IsEnough() => Volatile.Read(ref events) > Rounds && Volatile.Read(ref turned) > Rounds / 4 && Volatile.Read(ref adopted) > Rounds / 10;
    }

    private static void SpinFor(TimeSpan time)
    {
        long began = System.Diagnostics.Stopwatch.GetTimestamp();
        while (System.Diagnostics.Stopwatch.GetElapsedTime(began) < time)
        {
            Thread.Yield();
        }
    }
}
