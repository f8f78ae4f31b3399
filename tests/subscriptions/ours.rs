//! Both ends are ours.

use std::thread;
use std::time::Duration;

use nanomsg::{Socket, SocketType, Statistic};

use super::{
    TRANSPORTS, address, count, open, subscriber, wait_for_connections, wait_until, wait_until_filtered,
    wait_until_heard,
};

/// Over every transport, with either end bound.
fn everywhere(scene: impl Fn(Socket, Socket)) {
    for transport in TRANSPORTS {
        for publisher_binds in [true, false] {
            let (address, _folder) = address(transport);
            let (publisher, subscriber) = (open(SocketType::Pub), open(SocketType::Sub));
            let (binds, connects) = if publisher_binds { (&publisher, &subscriber) } else { (&subscriber, &publisher) };
            binds.bind(&address).unwrap();
            connects.connect(&address).unwrap();
            wait_for_connections(&publisher, 1);
            wait_for_connections(&subscriber, 1);
            scene(publisher, subscriber);
        }
    }
}

#[test]
fn only_what_is_wanted_is_sent() {
    everywhere(|publisher, subscriber| {
        wait_until_filtered(&publisher, 1);
        subscriber.subscribe("a").unwrap();
        subscriber.subscribe("b").unwrap();
        wait_until_heard(&publisher, &subscriber, "b1");
        let before = count(&publisher, Statistic::MessagesFiltered);
        for message in ["a1", "x", "b2", "", "a2"] {
            publisher.send(message).unwrap();
        }
        for message in ["a1", "b2", "a2"] {
            assert_eq!(subscriber.recv().unwrap(), message);
        }
        assert_eq!(count(&publisher, Statistic::MessagesFiltered), before + 2);
        subscriber.unsubscribe("b").unwrap();
        wait_until("b is not sent any more", || {
            let before = count(&publisher, Statistic::MessagesFiltered);
            publisher.send("b3").unwrap();
            count(&publisher, Statistic::MessagesFiltered) > before
        });
        assert_eq!(count(&subscriber, Statistic::ConnectErrors) + count(&publisher, Statistic::ConnectErrors), 0);
        assert_eq!(
            count(&subscriber, Statistic::BrokenConnections) + count(&publisher, Statistic::BrokenConnections),
            0
        );
        let established = Statistic::EstablishedConnections;
        assert_eq!(count(&subscriber, established) + count(&publisher, established), 1);
    });
}

/// Each subscription holds when its call returns, although of a hundred in a row most are told together.
#[test]
fn each_of_many_subscriptions_is_heard_at_once() {
    everywhere(|publisher, subscriber| {
        wait_until_filtered(&publisher, 1);
        subscriber.set_recv_timeout(Some(Duration::from_secs(5))).unwrap();
        for topic in (0..300).map(|number| format!("topic {number:03}")) {
            subscriber.subscribe(&topic).unwrap();
            publisher.send(&topic).unwrap();
            assert_eq!(subscriber.recv().unwrap(), topic);
        }
        for round in 0..20 {
            let topics: Vec<_> = (0..100).map(|number| format!("{round:02} {number:02}")).collect();
            topics.iter().for_each(|topic| subscriber.subscribe(topic).unwrap());
            topics.iter().for_each(|topic| publisher.send(topic).unwrap());
            topics.iter().for_each(|topic| assert_eq!(subscriber.recv().unwrap(), topic.as_str()));
        }
        // What was asked for meanwhile, everything, is taken back.
        let before = count(&publisher, Statistic::MessagesFiltered);
        wait_until("the rest is not sent any more", || {
            publisher.send("rest").unwrap();
            count(&publisher, Statistic::MessagesFiltered) > before
        });
    });
}

#[test]
fn either_end_can_do_without() {
    for transport in TRANSPORTS {
        for publisher_binds in [true, false] {
            for publisher_does in [true, false] {
                let (address, _folder) = address(transport);
                let (publisher, subscriber) = (open(SocketType::Pub), subscriber(&["a"]));
                publisher.set_forward_subscriptions(publisher_does).unwrap();
                subscriber.set_forward_subscriptions(!publisher_does).unwrap();
                let (binds, connects) =
                    if publisher_binds { (&publisher, &subscriber) } else { (&subscriber, &publisher) };
                binds.bind(&address).unwrap();
                connects.connect(&address).unwrap();
                wait_until_heard(&publisher, &subscriber, "a1");
                // At once: nothing has to travel.
                subscriber.subscribe("b").unwrap();
                for message in ["x", "b1", "a2"] {
                    publisher.send(message).unwrap();
                }
                assert_eq!(subscriber.recv().unwrap(), "b1");
                assert_eq!(subscriber.recv().unwrap(), "a2");
                let case = format!("{transport}, publisher binds: {publisher_binds}, and does: {publisher_does}");
                assert_eq!(count(&publisher, Statistic::MessagesFiltered), 0, "{case}");
                assert!(count(binds, Statistic::AcceptedConnections) <= 2, "{case}");
                assert_eq!(count(connects, Statistic::EstablishedConnections), 1, "{case}");
                assert_eq!(count(connects, Statistic::BrokenConnections), 0, "{case}");
                assert_eq!(count(connects, Statistic::ConnectErrors), 0, "{case}");
            }
        }
    }
}

#[test]
fn a_new_connection_is_told_all_that_holds_then() {
    for transport in TRANSPORTS {
        let (address, _folder) = address(transport);
        let subscriber = subscriber(&["a", "b"]);
        subscriber.set_reconnect_interval(Duration::from_millis(1)).unwrap();
        subscriber.connect(&address).unwrap();
        for topic in ["a", "c"] {
            let publisher = open(SocketType::Pub);
            publisher.bind(&address).unwrap();
            wait_for_connections(&publisher, 1);
            wait_until_filtered(&publisher, 1);
            publisher.send("b1").unwrap();
            publisher.send(format!("{topic}1")).unwrap();
            if topic == "a" {
                assert_eq!(subscriber.recv().unwrap(), "b1");
                subscriber.unsubscribe("b").unwrap();
                subscriber.subscribe("c").unwrap();
            }
            assert_eq!(subscriber.recv().unwrap(), format!("{topic}1"));
            drop(publisher);
            wait_for_connections(&subscriber, 0);
        }
    }
}

/// More than any buffer on the way holds, and some of them hold little: the two have to go on thousands of times. In a
/// thread with little memory for its stack.
#[test]
fn a_hundred_thousand_topics_are_told() {
    for transport in TRANSPORTS {
        let (address, _folder) = address(transport);
        let scene = move || {
            let (publisher, subscriber) = (open(SocketType::Pub), open(SocketType::Sub));
            subscriber.set_send_buffer(1024).unwrap();
            if transport == "inproc" {
                publisher.set_recv_buffer(1024).unwrap();
            }
            publisher.bind(&address).unwrap();
            for topic in 0..100_000 {
                subscriber.subscribe(format!("topic {topic}!")).unwrap();
            }
            subscriber.connect(&address).unwrap();
            wait_until_filtered(&publisher, 1);
            for topic in [0, 49_999, 99_999] {
                publisher.send(format!("topic {topic}! and more")).unwrap();
                assert_eq!(subscriber.recv().unwrap(), format!("topic {topic}! and more"));
            }
            for topic in 0..100_000 {
                subscriber.unsubscribe(format!("topic {topic}!")).unwrap();
            }
            wait_until("the last topic is taken back", || {
                let before = count(&publisher, Statistic::MessagesFiltered);
                publisher.send("topic 99999! again").unwrap();
                count(&publisher, Statistic::MessagesFiltered) > before
            });
        };
        thread::Builder::new().stack_size(128 * 1024).spawn(scene).unwrap().join().unwrap();
    }
}

#[test]
fn a_topic_longer_than_a_frame_may_be_works() {
    everywhere(|publisher, subscriber| {
        publisher.set_recv_max_size(Some(10)).unwrap();
        let long = "t".repeat(100_000);
        subscriber.subscribe(&long).unwrap();
        wait_until_heard(&publisher, &subscriber, &format!("{long} and more"));
        publisher.send("t".repeat(50_000)).unwrap();
        publisher.send(format!("{long}!")).unwrap();
        assert_eq!(subscriber.recv().unwrap(), format!("{long}!"));
        assert_eq!(count(&publisher, Statistic::BrokenConnections), 0);
    });
}

#[test]
fn a_subscriber_hears_all_its_publishers() {
    let subscriber = subscriber(&[]);
    let publishers: Vec<_> = (0..8)
        .map(|number| {
            let (address, folder) = address(TRANSPORTS[number % 4]);
            let publisher = open(SocketType::Pub);
            publisher.bind(&address).unwrap();
            subscriber.connect(&address).unwrap();
            (publisher, folder)
        })
        .collect();
    for (publisher, _) in &publishers {
        wait_until_filtered(publisher, 1);
    }
    subscriber.subscribe("n").unwrap();
    for (number, (publisher, _)) in publishers.iter().enumerate() {
        wait_until_heard(publisher, &subscriber, &format!("n{number}"));
    }
}
