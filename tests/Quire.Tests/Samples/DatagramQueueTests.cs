using System.Diagnostics;
using Quire.Samples.UdpRelay;
using Xunit;

namespace Quire.Tests.Samples;

public class DatagramQueueTests
{
    [Fact]
    public void It_is_first_in_first_out_across_its_end_and_refuses_when_full()
    {
        DatagramQueue<int> queue = new(5);
        int[] batch = new int[3];
        int next = 0;
        int expected = 0;
        for (int round = 0; round < 20; round++)
        {
            while (queue.TryAdd(next))
            {
                next++;
            }

            Assert.Equal(5, queue.Count);
            int taken = queue.Take(batch.AsSpan(0, 1 + (round % 3)), 0);
            Assert.Equal(1 + (round % 3), taken);
            for (int i = 0; i < taken; i++)
            {
                Assert.Equal(expected++, batch[i]);
            }
        }
    }

    [Fact]
    public void A_closed_queue_refuses_gives_out_what_it_has_and_then_ends()
    {
        DatagramQueue<int> queue = new(5);
        Assert.True(queue.TryAdd(1));
        queue.Close();
        Assert.False(queue.TryAdd(2));
        Assert.False(queue.IsFinished);
        int[] batch = new int[3];
        Assert.Equal(1, queue.Take(batch, Timeout.Infinite));
        Assert.Equal(1, batch[0]);
        Assert.True(queue.IsFinished);
        Assert.Equal(0, queue.Take(batch, Timeout.Infinite));
    }

    [Fact]
    public void A_take_waits_no_longer_than_asked_and_a_close_ends_its_wait()
    {
        DatagramQueue<int> queue = new(5);
        Stopwatch watch = Stopwatch.StartNew();
        Assert.Equal(0, queue.Take(new int[1], 50));
        Assert.True(watch.ElapsedMilliseconds >= 40, $"{watch.ElapsedMilliseconds} ms");
        Assert.False(queue.IsFinished);
        TestThread waiting = new(() => Assert.Equal(0, queue.Take(new int[1], Timeout.Infinite)));
        Thread.Sleep(30);
        Assert.True(waiting.IsAlive);
        queue.Close();
        waiting.Join();
    }

    [Fact]
    public void What_many_threads_add_one_thread_takes_once_each_and_in_each_adder_s_order()
    {
        const int Adders = 4;
        const int Each = 20_000;
        DatagramQueue<(int Adder, int Number)> queue = new(64);
        TestThread[] adders = TestThread.Start(Adders, adder =>
        {
            for (int number = 0; number < Each;)
            {
                if (queue.TryAdd((adder, number)))
                {
                    number++;
                }
                else
                {
                    Thread.Yield();
                }
            }
        });
        int[] next = new int[Adders];
        (int Adder, int Number)[] batch = new (int, int)[17];
        int total = 0;
        while (total < Adders * Each)
        {
            int taken = queue.Take(batch, (int)Eventually.Limit.TotalMilliseconds);
            Assert.True(taken > 0, $"nothing came after {total}");
            foreach ((int adder, int number) in batch.AsSpan(0, taken))
            {
                Assert.Equal(next[adder]++, number);
            }

            total += taken;
        }

        Array.ForEach(adders, adder => adder.Join());
        Assert.Equal(0, queue.Count);
    }
}
